import { Document, isMap, isNode, isPair, isScalar } from 'yaml';
import type { Remark } from '../detectors/registry/propose-registry.ts';
import type { RegistryDocument } from '../schemas/registry.ts';

const OPTIONS = { lineWidth: 110, defaultStringType: 'PLAIN', flowCollectionPadding: true } as const;

/** A registry as YAML, with a comment above it and remarks where they belong. */
export function registryYaml(
  document: RegistryDocument,
  header: readonly string[],
  remarks: readonly Remark[] = [],
): string {
  // Copies: values that are the same object would become anchors.
  const tree = new Document(JSON.parse(JSON.stringify(document)) as unknown);
  for (const { path, text } of remarks) {
    const node = tree.getIn(path, true);
    if (isScalar(node)) node.comment = ` ${text}`;
    else if (isMap(node)) node.commentBefore = ` ${text}`;
    else if (isNode(node)) commentOnMember(tree, path, text);
  }
  tree.commentBefore = header.map((line) => ` ${line}`).join('\n');
  return tree.toString(OPTIONS);
}

/** Above the member that holds a list. */
function commentOnMember(tree: Document, path: Remark['path'], text: string): void {
  const parent = tree.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return;
  const pair = parent.items.find(
    (item) => isPair(item) && isScalar(item.key) && item.key.value === path.at(-1),
  );
  if (pair !== undefined && isScalar(pair.key)) pair.key.commentBefore = ` ${text}`;
}
