group "default" { targets = ["app"] }
variable "VERSIONS" { default = ["1.20", "1.21-rc"] }
target "app" {
  name = "app-${tgt}-${sanitize(ver)}"
  matrix = {
    tgt = ["foo", "bar"]
    ver = VERSIONS
  }
  target = tgt
  args = { V = ver }
  tags = ["app:${tgt}-${ver}"]
}
target "objects" {
  name = item.name
  matrix = { item = [{ name = "o1", a = "x" }, { name = "o2", a = "y" }] }
  args = { A = item.a }
}
group "all" { targets = ["app", "objects"] }
