import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { mutants } from './mutants.ts';

/**
 * Loaded before everything else, it plants one wrong version of a rule into the source as it is
 * read: the product itself knows nothing of it.
 */
const root = fileURLToPath(new URL('../../..', import.meta.url));
const mutant = mutants.find(({ name }) => name === process.env['YIZHAN_MUTANT']);
if (!mutant) throw new Error(`no mutant ${process.env['YIZHAN_MUTANT']}`);

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const edits = mutant.edits.filter(({ file }) => url === `file://${root}${file}`);
    if (edits.length === 0 || loaded.source === null || loaded.source === undefined) return loaded;
    let source =
      typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString();
    for (const { file, find, replace } of edits) {
      const parts = source.split(find);
      if (parts.length !== 2) throw new Error(`mutant ${mutant.name}: ${file} has ${parts.length - 1} times: ${find}`);
      source = parts.join(replace);
    }
    return { ...loaded, source };
  },
});
