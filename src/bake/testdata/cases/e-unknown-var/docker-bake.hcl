target "default" {
  tags = ["x:${TAGG}"]
}
