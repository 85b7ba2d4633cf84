import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { cliAddStation } from '../support/cloud-cli.ts';
import { type Mosquitto, startMosquitto } from '../support/mosquitto.ts';

export type OwnBroker = Mosquitto & { cloudConfig: string; passwords: Record<string, string> };

/** Debian's mosquitto as protocol/README §4 sets it up, word for word, and the cloud.yaml that goes with it. */
export async function mosquittoWithRights(
  directory: string,
  cloudData: string,
  ids: readonly string[],
): Promise<OwnBroker> {
  const passwords: Record<string, string> = {};
  for (const id of ids) passwords[id] = (await cliAddStation(cloudData, id)).password;
  const cloudPassword = 'of-the-cloud-alone';
  const [conf, acl] = readmeBrokerFiles();
  const broker = await startMosquitto({
    password(folder) {
      const users = Object.entries({ ...passwords, 'yizhan-cloud': cloudPassword }).map(
        ([user, word]) => `${user}:${word}`,
      );
      writeFileSync(join(folder, 'passwords'), `${users.join('\n')}\n`, { mode: 0o600 });
      execFileSync('mosquitto_passwd', ['-U', join(folder, 'passwords')]);
      writeFileSync(join(folder, 'acl'), acl, { mode: 0o600 });
      return conf.replaceAll('/etc/mosquitto/', `${folder}/`).split('\n');
    },
  });
  const cloudConfig = join(directory, 'cloud.yaml');
  writeFileSync(
    cloudConfig,
    stringify({ broker: { url: broker.url, username: 'yizhan-cloud', password: cloudPassword } }),
  );
  return { ...broker, cloudConfig, passwords };
}

/** `mosquitto.conf` and `acl` out of protocol/README §4. */
function readmeBrokerFiles(): [string, string] {
  const page = readFileSync(new URL('../../protocol/README.md', import.meta.url), 'utf8');
  const block = page.slice(page.indexOf('    # mosquitto.conf'), page.indexOf('## Change log'));
  const [conf = '', acl = ''] = block
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
    .split('# acl: the user name is the station id');
  return [conf.replaceAll(/ +#.*$/gm, ''), acl];
}
