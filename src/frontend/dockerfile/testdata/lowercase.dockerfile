from debian as first
env a 1
env b=2 c="3 4"
label a b c
run echo hi
from first
cmd echo hi
