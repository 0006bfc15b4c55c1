variable "A" { default = B }
variable "B" { default = "${C}-b" }
C = "c"
target "one" {
  tags = ["one:${A}"]
  args = { X = "1" }
  context = "ctx"
  labels = { l = "v" }
  output = [{ type = "local", dest = "d" }]
}
target "two" {
  tags = [for t in target.one.tags : "${t}-two"]
  args = merge(target.one.args, { Y = target.one.context, Z = target.one.labels["l"] })
  output = target.one.output
  dockerfile = target.one.dockerfile == null ? "none" : "some"
}
group "default" { targets = ["two", "grp"] }
group "grp" {
  targets = ["one"]
  description = "a group"
}
