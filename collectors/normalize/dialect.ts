import type { CustodyEvent, EventKind } from '../../schemas/event.ts';
import type { Field } from './fields.ts';

export type Vantage = CustodyEvent['source']['vantage'];
export type Phase = NonNullable<CustodyEvent['phase']>;

/** Canonical field ← attribute names; the first that is present and not empty wins. */
export type FieldNames = Partial<Record<Field, readonly string[]>>;

/** What a span or log name says. */
export interface NameRule {
  /** The whole name, or with `prefix` or `suffix` a part of it. */
  readonly name: string;
  readonly match?: 'exact' | 'prefix' | 'suffix';
  readonly kind?: EventKind;
  readonly phase?: Phase;
  readonly vantage?: Vantage;
  readonly transition?: 'start' | 'end';
  /** The rest of the name is the tool's name, where no attribute gives one. */
  readonly toolInName?: boolean;
}

/** One emitter's or convention's mapping, as data. */
export interface Dialect {
  readonly id: string;
  /** Any of these says that a record is in this dialect. Scopes and names are prefixes unless marked. */
  readonly recognise: {
    readonly scopes?: readonly string[];
    readonly services?: readonly string[];
    readonly namePrefixes?: readonly string[];
    readonly names?: readonly string[];
    readonly attributes?: readonly string[];
  };
  /** Understood in every dialect, after the record's own names. */
  readonly fields: FieldNames;
  /** Names too general to be trusted outside the dialect; read before `fields`. */
  readonly localFields?: FieldNames;
  /** Attributes `<prefix><argument>` together are the arguments. */
  readonly argumentPrefix?: string;
  /** What an aggregator of this dialect puts between server and tool name, beside the usual. */
  readonly toolSeparator?: string;
  readonly names?: readonly NameRule[];
  /** Value of `spanKind` → kind, lower case. */
  readonly kinds?: Readonly<Record<string, EventKind>>;
  readonly vantage?: Vantage;
  readonly phase?: Phase;
}
