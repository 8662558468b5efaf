import { BundleReadError } from '../evidence/bundle/files.ts';
import type { BundleVerdict } from '../evidence/bundle/verdict.ts';
import { unreadableVerdict, verifyBundle, type VerifyBundleOptions } from '../evidence/bundle/verify.ts';
import { openBundle, type OpenBundle } from './node-bundle.ts';

/** Verifies the bundle at a path, a zip or a directory; what is no bundle at all is a verdict too. Throws what the disk says. */
export async function verifyBundleAt(path: string, options: VerifyBundleOptions): Promise<BundleVerdict> {
  let bundle: OpenBundle;
  try {
    bundle = await openBundle(path);
  } catch (error) {
    if (error instanceof BundleReadError) return unreadableVerdict(error, options);
    throw error;
  }
  try {
    return await verifyBundle(bundle, options);
  } finally {
    await bundle.close();
  }
}
