target "default" {
  tags = null
  context = null
  args = { a = null, b = "x" }
  labels = {}
  platforms = []
  output = [""]
  pull = null
  cache-from = [""]
  dockerfile = ""
  target = ""
}
