target "default" {
  tags = [null, "x"]
}
