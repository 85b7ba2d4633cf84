// Only what any Node understands stands before this check; everything else is imported after it.
if (Number.parseInt(process.versions.node, 10) < 24) {
  process.stderr.write(
    `yizhan needs Node 24 or newer, found ${process.versions.node}: install it, or use "npm run cloud -- …"\n`,
  );
  process.exit(78);
}
const { runCloud } = await import('./cli.ts');
process.exitCode = await runCloud(process.argv, {
  env: process.env,
  print: (line) => void process.stdout.write(`${line}\n`),
  complain: (line) => void process.stderr.write(`${line}\n`),
  onSignal: (signal, handler) => void process.on(signal, handler),
  exit: (code) => process.exit(code),
});

export {};
