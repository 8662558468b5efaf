import type { Rule } from '../../schemas/rule.ts';

/** Catalogues that rules refer to. */
export type Catalogue = keyof Rule['references'];

interface Family {
  readonly example: string;
  readonly ids: RegExp;
}

/** Families of ids by catalogue. That an id is written like this does not say that the catalogue has it. */
export const referenceFamilies: Readonly<Record<Catalogue, readonly Family[]>> = {
  owasp: [
    { example: 'MCP01:2025', ids: /^MCP(0[1-9]|10)(:20\d\d)?$/ },
    { example: 'LLM01:2025', ids: /^LLM(0[1-9]|10)(:20\d\d)?$/ },
    { example: 'ASI01', ids: /^ASI(0[1-9]|10)(:20\d\d)?$/ },
    { example: 'API1:2023', ids: /^API([1-9]|10)(:20\d\d)?$/ },
    { example: 'A01:2021', ids: /^A(0[1-9]|10)(:20\d\d)?$/ },
  ],
  atlas: [
    { example: 'AML.T0053', ids: /^AML\.T\d{4}(\.\d{3})?$/ },
    { example: 'AML.TA0002', ids: /^AML\.TA\d{4}$/ },
  ],
  attack: [
    { example: 'T1567', ids: /^T\d{4}(\.\d{3})?$/ },
    { example: 'TA0010', ids: /^TA\d{4}$/ },
  ],
  saf: [{ example: 'SAF-T1102', ids: /^SAF-T\d{4}(\.\d{3})?$/ }],
};

export function isKnownReference(catalogue: Catalogue, id: string): boolean {
  return referenceFamilies[catalogue].some(({ ids }) => ids.test(id));
}
