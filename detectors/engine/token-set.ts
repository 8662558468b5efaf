/** The grammar is the schema's; collectors write by it. */
export { decodeTokens } from '../../schemas/token-set.ts';
