variable "STR" { type = string }
variable "NUM" { 
  type = number 
  default = 1
}
variable "B" {
  type = bool
  default = "true"
}
variable "L" {
  type = list(string)
  default = ["a"]
}
variable "N" { type = list(number) }
variable "M" { type = map(string) }
variable "O" {
  type = object({ a = string, b = optional(number) })
  default = { a = "x" }
}
variable "S" {
  type = set(string)
  default = ["b", "a", "b"]
}
variable "PORT" {
  type = number
  default = 80
  description = "where it listens"
  validation {
    condition = PORT > 10
    error_message = "PORT is low: ${PORT}"
  }
}
target "default" {
  args = {
    str = STR == null ? "null" : "s"
    num = NUM
    b = B
    l = join(",", L)
    n = N == null ? "none" : jsonencode(N)
    m = M == null ? "none" : jsonencode(M)
    o = jsonencode(O)
    s = jsonencode(S)
    port = PORT
  }
}
