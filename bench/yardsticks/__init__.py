"""What figures are divided by: servers that do nothing. The units of `bench/micro` have yardsticks of their own.

echo  JSON in, the same JSON out
"""
