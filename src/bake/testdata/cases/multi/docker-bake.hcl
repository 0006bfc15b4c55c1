variable "V" { default = "main" }
target "default" {
  tags = ["main"]
  args = { A = "main", V = V }
  labels = { a = "1" }
}
group "g" { targets = ["default"] }
