import { createRequire } from 'node:module';

/** The package's version; found from the sources and from `dist/` alike. */
export const version: string = (() => {
  const require = createRequire(import.meta.url);
  for (const path of ['../package.json', '../../package.json']) {
    try {
      return (require(path) as { version: string }).version;
    } catch {
      continue;
    }
  }
  return '0.0.0';
})();
