variable "X" { default = "x" }
target "default" {
  args = {
    plain = <<EOT
  a
    ${X}
EOT
    flush = <<-EOT
      a

        b ${X}
      ${X} c
      EOT
    flush2 = <<-EOT
        %{ if true }
        yes
        %{ endif }
       low
    EOT
    flush3 = <<-EOT
	tab
	  two
	EOT
    trim = <<EOT
a ${~ X ~}
b
%{~ for i in [1, 2] ~}
 ${i}
%{ endfor ~}
end
EOT
    quote = "a\tb\\ \u0041 $${no} %%{no} ${"nested ${X}"}"
    backslash = <<EOT
\n \" $${X}
EOT
    expr = "${[X, 1][0]}"
  }
  dockerfile-inline = <<EOT
FROM scratch
EOT
}
