import { trustedKeys } from '../evidence/bundle/trusted-keys.ts';
import { trustPolicySchema, type TrustPolicy } from '../schemas/trust-policy.ts';

/** A trust policy, or why the text is none: a sentence for whoever chose the file. */
export function readTrustPolicy(text: string): TrustPolicy | { readonly reason: string } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { reason: 'it is not JSON' };
  }
  const parsed = trustPolicySchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { reason: `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'another form'}` };
  }
  try {
    trustedKeys(parsed.data);
  } catch (error) {
    if (error instanceof RangeError) return { reason: error.message };
    throw error;
  }
  return parsed.data;
}
