import type { Rule } from '../../schemas/rule.ts';
import type { CompiledRule } from './compile-rule.ts';
import type { RuleProblem } from './problem.ts';
import { isKnownReference, referenceFamilies, type Catalogue } from './reference-families.ts';
import { unclosedAt } from './template.ts';

/**
 * What must not come into force though it could run. Rules that are in force already are not asked again: a replay
 * judges by the rules of then, whatever lint has learned since.
 */
export function lintProblems(compiled: CompiledRule): RuleProblem[] {
  const { rule } = compiled;
  return [
    ...templateProblems(rule),
    ...valueProblems(compiled),
    ...stepProblems(rule),
    ...referenceProblems(rule),
    ...testProblems(rule),
  ].map((found) => ({ rule: rule.id, ...found }));
}

type Found = Omit<RuleProblem, 'rule'>;

function templateProblems({ alert }: Rule): Found[] {
  return Object.entries(alert).flatMap(([name, text]) => {
    const at = typeof text === 'string' ? unclosedAt(text) : undefined;
    return at === undefined
      ? []
      : [{ path: `alert.${name}`, message: `{{ has no }} (at character ${at + 1})` }];
  });
}

/** A list would count as one value, by all of its elements: not what anybody means by different values. */
function valueProblems({ value }: CompiledRule): Found[] {
  if (value === undefined || /^(string|int|uint|double|bool|dyn)$/.test(value.type)) return [];
  const what = /^(list|map)</.exec(value.type)?.[1] ?? 'group of members';
  const one = what === 'list' ? `one element, such as ${value.text.slice(0, 80)}[0]` : 'one member';
  return [{ path: 'correlation.value', message: `it is a ${what}, and one value is counted: name ${one}` }];
}

function stepProblems({ correlation }: Rule): Found[] {
  if (correlation.type !== 'sequence') return [];
  return repeated(correlation.steps).map((index) => ({
    path: `correlation.steps.${index}.name`,
    message: 'another step has this name',
  }));
}

function referenceProblems({ references }: Rule): Found[] {
  return (Object.keys(references) as Catalogue[]).flatMap((catalogue) =>
    references[catalogue].flatMap((id, index) =>
      isKnownReference(catalogue, id)
        ? []
        : [
            {
              path: `references.${catalogue}.${index}`,
              message: `${id} is of no known family; known are ids such as ${referenceFamilies[catalogue].map(({ example }) => example).join(', ')}`,
            },
          ],
    ),
  );
}

function testProblems({ maturity, tests }: Rule): Found[] {
  const found: Found[] = repeated(tests).map((index) => ({
    path: `tests.${index}.name`,
    message: 'another case has this name',
  }));
  if (maturity !== 'stable') return found;
  for (const wanted of ['alert', 'quiet'] as const)
    if (!tests.some(({ expect }) => expect === wanted))
      found.push({ path: 'tests', message: `a stable rule needs a case that expects ${wanted}` });
  return found;
}

/** Places of those whose name an earlier one has. */
function repeated(list: readonly { readonly name: string }[]): number[] {
  const names = list.map(({ name }) => name);
  return names.flatMap((name, index) => (names.indexOf(name) < index ? [index] : []));
}
