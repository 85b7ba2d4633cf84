import { runCloud } from '../../cloud/cli.ts';
import type { Login } from './programs.ts';

/** Runs the cloud's command line in this process; for commands that end by themselves. */
export async function cloudCli(...args: string[]): Promise<{ code: number; stdout: string[]; stderr: string[] }> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const code = await runCloud(['node', 'cloud', ...args], {
    env: {},
    print: (line) => void stdout.push(line),
    complain: (line) => void stderr.push(line),
    onSignal: () => {},
    exit: () => {},
  });
  return { code, stdout, stderr };
}

/** `station add`, in this process. */
export async function cliAddStation(dataDir: string, id: string): Promise<Login> {
  const position = ['--name', `${id}驿站`, '--region', '341002', '--lat', '29.714', '--lng', '118.316'];
  const { code, stdout, stderr } = await cloudCli(
    'station',
    'add',
    '--id',
    id,
    ...position,
    '--data',
    dataDir,
    '--json',
  );
  if (code !== 0) throw new Error(stderr.join('\n'));
  return JSON.parse(stdout.join(''));
}
