// node --import ./bench/end-with-parent.js: a benchmark that ends in whatever way leaves no process behind.
process.once('disconnect', () => process.exit())
