// Connects 20 times at once, and prints how long that took and the longest stall of the event loop, in milliseconds.
const net = require('net');
const began = Date.now();
let last = began, stall = 0, open = 0;
const tick = setInterval(() => {
  const now = Date.now();
  stall = Math.max(stall, now - last - 5);
  last = now;
}, 5);
for (let i = 0; i < 20; i++) {
  const c = net.connect(Number(process.argv[3]), process.argv[2], () => {
    if (++open === 20) {
      console.log(`${Date.now() - began} ${stall}`);
      clearInterval(tick);
      process.exit(0);
    }
  });
  c.on('error', (e) => { console.log(e.message); process.exit(1); });
}
