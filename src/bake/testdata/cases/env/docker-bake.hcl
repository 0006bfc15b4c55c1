group "default" {
  targets = ["webapp", "db"]
}
variable "TAG" {
  default = "latest"
}
variable "REPO" {}
variable "COUNT" { default = 3 }
variable "DEBUG" { default = false }
prefix = "reg.example/${TAG}"
target "base" {
  description = "what others build on"
  dockerfile = "Dockerfile.webapp"
  args = {
    GO = "1.21"
    EMPTY = ""
    NOTHING = null
    PRICE = "$${x} %%{y}"
  }
  labels = { "org.x" = "y", n = 5, b = true }
  no-cache = false
  tags = ["unused:1"]
  platforms = ["linux/amd64", "linux/arm64", "linux/amd64", ""]
  cache-from = ["user/app:cache", "type=local,src=cache"]
  secret = ["id=a,src=a.txt"]
  ssh = ["default"]
}
target "webapp" {
  inherits = ["base"]
  context = "./web"
  contexts = {
    alpine = "docker-image://alpine:3"
    gone = ""
    dbimg = "target:db"
  }
  args = { GO = "1.22", DEBUG = DEBUG, N = COUNT + 1 }
  tags = ["${prefix}/webapp:${TAG}", notequal("", REPO) ? "${REPO}/x" : "", "docker.io/u/webapp"]
  cache-from = ["type=registry,ref=user/app:cache", "type=gha,scope=x"]
  cache-to = ["type=inline", { type = "local", dest = "out", mode = "max" }]
  output = ["type=registry", { type = "local", dest = "./o" }]
  secret = ["id=a,env=A", { id = "b", src = "b.txt" }, "type=env,id=c,src=CC"]
  ssh = [{ id = "default" }]
  attest = ["type=provenance,mode=max", { type = "sbom", disabled = true }]
  annotations = ["index:a=b", "a=$${c}"]
  network = "host"
  shm-size = "128m"
  ulimits = ["nofile=1024:1024", "nofile=1024:1024"]
  entitlements = ["security.insecure"]
  extra-hosts = { h = "1.2.3.4", n = null }
  no-cache-filter = ["one", "one", "two"]
  pull = true
  call = "check"
  target = "prod"
  dockerfile-inline = <<EOT
FROM alpine
RUN echo $${x} ${TAG}
EOT
}
target "db" {
  context = "db"
  platforms = ["linux/arm64", "linux/amd64"]
}
