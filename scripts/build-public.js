/**
 * Makes public/assets: the scripts from dist/browser and the style sheet, each named after a hash of its content, their
 * imports rewritten to those names, compressed twins beside them, and a manifest that says which is which.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const root = fileURLToPath(new URL('../', import.meta.url));
const scriptsDir = join(root, 'dist/browser');
const publicDir = join(root, 'public');
const assetsDir = join(publicDir, 'assets');

/** Static and dynamic imports of a sibling, as the compiler writes them. */
const importPattern = /((?:from|import)\s*\(?\s*['"])\.\/([\w-]+\.js)(['"])/g;

const files = {};
const imports = {};

/** The hashed name of a script; what it imports is named first, since its own content depends on those names. */
function addScript(name, path = []) {
  if (files[name] !== undefined) return files[name];
  if (path.includes(name)) throw new Error(`scripts import one another: ${[...path, name].join(' → ')}`);
  const source = readFileSync(join(scriptsDir, name), 'utf8');
  const atOnce = new Set();
  const content = source.replace(importPattern, (_match, before, imported, after) => {
    if (before.startsWith('from')) {
      atOnce.add(imported);
    }
    return `${before}./${addScript(imported, [...path, name])}${after}`;
  });
  imports[name] = [...new Set([...atOnce].flatMap((imported) => [imported, ...imports[imported]]))];
  return write(name, content);
}

function write(name, content) {
  const hash = createHash('sha256').update(content).digest('base64url').replace(/[-_]/g, '').slice(0, 10);
  const hashed = `${basename(name, extname(name))}.${hash}${extname(name)}`;
  const bytes = Buffer.from(content);
  writeFileSync(join(assetsDir, hashed), bytes);
  const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } };
  writeFileSync(join(assetsDir, `${hashed}.br`), brotliCompressSync(bytes, brotli));
  writeFileSync(join(assetsDir, `${hashed}.gz`), gzipSync(bytes, { level: 9 }));
  files[name] = hashed;
  return hashed;
}

/** Comments and indentation are for us; nothing else of the style sheet is touched. */
function withoutComments(css) {
  return css
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s+/gm, '')
    .replace(/\n+/g, '\n');
}

rmSync(assetsDir, { recursive: true, force: true });
mkdirSync(assetsDir, { recursive: true });
for (const name of readdirSync(scriptsDir)) if (extname(name) === '.js') addScript(name);
write('style.css', withoutComments(readFileSync(join(publicDir, 'style.css'), 'utf8')));
writeFileSync(join(assetsDir, 'manifest.json'), `${JSON.stringify({ files, imports }, null, 2)}\n`);
