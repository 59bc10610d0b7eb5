// libuv's pool: a thread that submits reads of a file in memory, 32 at once, and 4 that read.
// It says "ready" and goes on for 30 s.
const fs = require('fs');
const fd = fs.openSync(process.execPath, 'r');
const read = () => fs.read(fd, Buffer.alloc(4096), 0, 4096, 4096 * Math.floor(Math.random() * 1000), read);
for (let i = 0; i < 32; i++) read();
console.log('ready');
setTimeout(() => process.exit(0), 30000);
