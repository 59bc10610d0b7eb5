// Reads of a file at random places, from libuv's pool or from its ring.
// UV_THREADPOOL_SIZE=N UV_USE_IO_URING=0|1 node files.js --file F --depth N [--block BYTES]
// Keeps N reads under way. Each line on stdin is answered with the reads so far.
const fs = require('fs');
const flags = {};
for (let i = 2; i + 1 < process.argv.length; i += 2) flags[process.argv[i].slice(2)] = process.argv[i + 1];
const block = +(flags.block || 4096);
const file = fs.openSync(flags.file, 'r');
const blocks = Math.floor(fs.fstatSync(file).size / block);
let operations = 0, seed = 1;
function next(buffer) {
  // The low bits of such a generator repeat soon, so only the high ones count.
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  const at = Math.floor(seed / 4294967296 * blocks) * block;
  fs.read(file, buffer, 0, block, at, (error) => {
    if (error) throw error;
    operations++;
    next(buffer);
  });
}
process.stdin.on('data', () => {
  console.log(JSON.stringify({ operations, now_ns: Number(process.hrtime.bigint()) }));
});
process.stdin.on('end', () => process.exit(0));
for (let i = 0; i < +(flags.depth || 32); i++) next(Buffer.allocUnsafe(block));
