variable "V" { default = "override" }
target "default" {
  tags = ["over"]
  args = { B = "over" }
  labels = { a = "2" }
}
target "extra" {}
group "g" { targets = ["extra"] }
