// Writes test/fixtures/vectors/receipt-v1.json: `npx tsx test/evidence/receipt/write-vectors.ts`.
import { writeFileSync } from 'node:fs';
import { vectorsFile, vectorsText } from './vectors.ts';

writeFileSync(vectorsFile, vectorsText());
