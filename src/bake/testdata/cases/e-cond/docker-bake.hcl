target "default" { args = { a = true ? ["x"] : "y" } }
