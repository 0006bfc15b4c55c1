variable "LIST" { default = ["a", "b"] }
function "increment" {
  params = [number]
  result = number + 1
}
function "tag" {
  params = [name]
  variadic_params = extra
  result = concat(["${name}:latest"], [for e in extra : "${name}:${e}"])
}
function "nested" {
  params = [x]
  result = upper(join("-", tag(x, "q")))
}
target "default" {
  args = {
    a = increment(4)
    b = nested("z")
    c = cidrsubnet("10.0.0.0/8", 8, 2)
    d = jsonencode({ b = 1, a = ["<x>&", true, null] })
    e = formatdate("YYYY-MM-DD", "2020-01-02T03:04:05Z")
    f = regex_replace("v1.2.3", "v(\\d+)\\.(\\d+).*", "$1-$2")
    g = try(target.none.tags[0], "fallback")
    h = "%{ for x in LIST ~} ${x}; %{ endfor ~}end"
    i = length(LIST) > 1 ? "many" : "few"
    j = trimsuffix(basename("/a/b.tar.gz"), ".gz")
    l = format("%05.2f|%-5s|%5s|%x|%q|%v", 3.14159, "ab", "cd", 255, "q\"", ["a", 1])
    m = join(",", keys({ b = 1, a = 2 }))
    n = 10 / 4
    o = 7 % 3
    p = substr("hello", 1, 3)
    q = title("hello world's end")
    r = urlencode("a b/c?d=é*~!'()")
    s = index(["x", "y"], 1)
    t = lookup({ a = "1" }, "b", "def")
    u = jsonencode(setproduct(["a", "b"], ["c"]))
    v = jsonencode(distinct(["a", "b", "a"]))
    w = jsonencode(chunklist(["a", "b", "c"], 2))
    x = jsonencode(zipmap(["k"], ["v"]))
    y = indexof(["a", "b"], "b")
    z = md5("x")
    aa = 100000000000000000000
    ab = 1.5e3
    ac = jsonencode(regexall("(\\w)(\\d)", "a1 b2"))
    ad = jsonencode(regex("(?P<n>\\w+)", "word"))
    ae = jsonencode(flatten([["a"], [["b"]], []]))
    af = jsonencode(merge({ a = 1 }, { b = 2 }))
    ag = jsonencode(range(1, 10, 3))
    ah = jsonencode(csvdecode("a,b\n1,2"))
    ai = parseint("0777", 8)
    aj = jsonencode(slice(["a", "b", "c"], 1, 2))
    ak = indent(2, "a\nb")
    al = strlen("héé")
    am = timeadd("2020-01-02T03:04:05Z", "-48h")
    ap = 0.1 + 0.2
    aq = jsonencode(split(",", "a,b"))
    ar = replace("a+b", "+", "$")
    as = trim("xxaxx", "x")
    at = contains(["1", "2"], "2")
    au = jsonencode(setunion(["b"], ["a"]))
    av = coalesce("", "x")
    aw = jsonencode(compact(["a", "", "b"]))
    ax = element(["a", "b"], 3)
    ay = hasindex(["a"], 0)
    az = sha256("a")
    ba = formatlist("%s-%s", ["a", "b"], "c")[1]
    bb = signum(-2)
    bc = log(8, 2)
    bd = pow(2, 0.5)
    be = floor(-1.5)
    bf = dirname("a//b/../c")
    bg = reverse("añ")
    bh = jsonencode(sort(["b", "A", "a"]))
    bk = jsonencode({ f = 1.0, g = 1e21 })
    bl = format("%d%%", 5)
    bm = cidrhost("10.0.0.0/24", -2)
    bn = max(1, "3", 2)
    bo = "${1.10}"
    bp = jsonencode("é\u2028\t")
    bq = add(1, 2) == 3 ? "ok" : 0
    br = can(regex("x", "y"))
    bt = jsonencode([for k, v in { x = 1, y = 2 } : "${k}=${v}" if v > 1])
    bu = jsonencode({ for i, v in ["p", "q"] : v => i })
    bv = chomp("x\n\n")
    bw = not(false) && true
    bx = abs
  }
}
abs = absolute(-1.25)
