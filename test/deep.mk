# Deeper checks than `make test`, which .ci/run calls: what each one promises
# and has found stands in test/README.md.
