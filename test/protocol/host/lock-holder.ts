// A process that holds the lock of a directory until it is ended: node lock-holder.ts <directory>
import { ConfigError } from '../../../protocol/host/config-error.ts';
import { lockDirectory } from '../../../protocol/host/dir-lock.ts';

try {
  const lock = lockDirectory(process.argv[2] ?? '', 'agent.lock', 'agent');
  process.on('SIGTERM', () => {
    lock[Symbol.dispose]();
    process.exit();
  });
  process.stdout.write('locked');
  setInterval(() => {}, 60_000);
} catch (error) {
  process.stdout.write(error instanceof ConfigError ? error.report : String(error));
}
