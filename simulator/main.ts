// Only what any Node understands stands before this check; everything else is imported after it.
if (Number.parseInt(process.versions.node, 10) < 24) {
  process.stderr.write(
    `yizhan needs Node 24 or newer, found ${process.versions.node}: install it, or use "npm run simulator -- …"\n`,
  );
  process.exit(78);
}
const { runSimulator } = await import('./cli.ts');
const terminal = process.stdout.isTTY;
process.exitCode = await runSimulator(process.argv, {
  env: process.env,
  print: (line) => void process.stdout.write(terminal ? `\r\x1b[K${line}\n` : `${line}\n`),
  complain: (line) => void process.stderr.write(`${line}\n`),
  rewrite: terminal ? (line) => void process.stdout.write(`\r\x1b[K${line}`) : null,
  onSignal: (signal, handler) => void process.on(signal, handler),
  exit: (code) => process.exit(code),
});

export {};
