target "a" {
  tags = ["a"]
  args = { x = "a", y = "a" }
  secret = ["id=s,env=S1"]
  cache-from = ["x", "y"]
  attest = ["type=sbom"]
  no-cache-filter = ["f1"]
  ulimits = ["core=1"]
  entitlements = ["network.host"]
  output = ["type=local,dest=a"]
}
target "b" {
  inherits = ["a"]
  args = { y = "b" }
  cache-from = ["y", "z"]
  output = ["type=local,dest=b"]
}
target "c" {
  args = { x = "c" }
  platforms = ["linux/386"]
  pull = true
}
target "default" {
  inherits = ["b", "c"]
  secret = ["id=s,env=S2", "id=t,env=T"]
  cache-from = ["x"]
  attest = ["type=sbom,generator=g"]
  no-cache-filter = ["f2"]
  ulimits = ["nofile=2"]
}
