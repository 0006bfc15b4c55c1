target "base" {
  context = "base"
  output = ["type=image"]
  entitlements = ["network.host"]
}
target "mid" {
  contexts = { b = "target:base" }
}
target "default" {
  contexts = { m = "target:mid", o = "oci-layout://x" }
}
