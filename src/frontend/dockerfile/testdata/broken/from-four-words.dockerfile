FROM debian AS a b
