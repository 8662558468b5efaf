import { storeContract } from '../../contract/store.ts';
import { startStore } from './ledger-harness.ts';
import { startServerEngine } from './server-harness.ts';

storeContract('the embedded store', () => Promise.resolve({ open: startStore, ours: true }));
storeContract('the store on a server', startServerEngine);
