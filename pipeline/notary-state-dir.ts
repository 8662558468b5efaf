import { join } from 'node:path';
import type { Config } from '../schemas/config.ts';

/** Where the notary of a configuration keeps what it signed. */
export const notaryStateDir = ({ notary, data_dir }: Pick<Config, 'notary' | 'data_dir'>): string =>
  notary.state_dir ?? join(data_dir, 'notary');
