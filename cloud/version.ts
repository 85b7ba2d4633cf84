import manifest from '../package.json' with { type: 'json' };

export const cloudVersion: string = manifest.version;
