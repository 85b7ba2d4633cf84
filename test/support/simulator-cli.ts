import { runSimulator } from '../../simulator/cli.ts';

/** Runs the simulator's command line in this process; for commands that end by themselves. */
export async function simulatorCli(...args: string[]): Promise<{ code: number; stdout: string[]; stderr: string[] }> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const code = await runSimulator(['node', 'simulator', ...args], {
    env: {},
    print: (line) => void stdout.push(line),
    complain: (line) => void stderr.push(line),
    rewrite: null,
    onSignal: () => {},
    exit: () => {},
  });
  return { code, stdout, stderr };
}
