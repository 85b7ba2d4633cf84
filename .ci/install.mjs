// Installs what is missing, and nothing else: npm packages, and with --test the system packages that
// the tests need. Runs before the scripts of package.json, on whatever Node the machine has.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Debian packages, by the program of theirs that shows that they are there. */
const systemPackages = { mosquitto: 'mosquitto', socat: 'socat', chromium: 'chromium' };

function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  if (error) console.error(`${command}: ${error.message}`);
  return status === 0;
}

function isInstalled(program) {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];
  return folders.some((folder) => existsSync(join(folder, program)));
}

function packagesAreCurrent() {
  const installed = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installed) || !existsSync(join(root, 'node_modules/.bin/node'))) return false;
  return statSync(installed).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
}

function installNpmPackages() {
  if (packagesAreCurrent()) return;
  console.log('installing npm packages (package-lock.json) …');
  if (run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])) return;
  console.error('npm ci failed: is the npm registry reachable?');
  process.exit(1);
}

function installSystemPackages() {
  const missing = Object.entries(systemPackages).filter(([program]) => !isInstalled(program));
  if (missing.length === 0) return;
  const names = missing.map(([, name]) => name);
  if (process.getuid?.() !== 0) {
    console.error(
      `the tests need these Debian packages: ${names.join(' ')}\nas root: apt-get install ${names.join(' ')}`,
    );
    process.exit(1);
  }
  console.log(`installing Debian packages: ${names.join(' ')} …`);
  // A broker that Debian would start as a service is not wanted: the tests start their own.
  const quiet = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const installed = ['install', '-y', '--no-install-recommends', '-q', ...names];
  if (run('apt-get', installed, quiet) || (run('apt-get', ['update', '-q'], quiet) && run('apt-get', installed, quiet)))
    return;
  console.error(`apt-get could not install: ${names.join(' ')}; the tests cannot run without them`);
  process.exit(1);
}

installNpmPackages();
if (process.argv.includes('--test')) installSystemPackages();
