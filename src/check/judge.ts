import type { CheckRecord } from './record.ts';

/** What a rule found. */
export interface Finding {
  readonly status: 'pass' | 'fail' | 'not-applicable' | 'not-checkable';
  /** The offending lines, URLs and figures of a failure; what was looked at, or why it was not, of anything else. */
  readonly evidence: readonly string[];
  /** What is allowed but not recommended. */
  readonly advice: readonly string[];
}

/** One item of the checklist. */
export interface Rule {
  readonly id: string;
  readonly title: string;
  readonly check: (record: CheckRecord) => Finding;
}

const MAX_EVIDENCE = 8;

/** Collects what a rule sees, and makes its finding. */
export class Judge {
  readonly #failures = new Set<string>();
  readonly #advice = new Set<string>();
  readonly #notes: string[] = [];
  #checked = 0;

  /** One thing that must hold; `failure` says what does not, with the line or figure. */
  expect(holds: boolean, failure: () => string): void {
    this.#checked += 1;
    if (!holds) this.#failures.add(failure());
  }

  /** One thing that should hold. */
  recommend(holds: boolean, advice: () => string): void {
    if (!holds) this.#advice.add(advice());
  }

  /** A figure that a reader may want. */
  note(text: string): void {
    this.#notes.push(text);
  }

  /** The finding; without anything looked at, `unseen` says why it was not. */
  finding(unseen: string): Finding {
    const advice = limited([...this.#advice]);
    if (this.#failures.size > 0) return { status: 'fail', evidence: limited([...this.#failures]), advice };
    if (this.#checked === 0) return { status: 'not-checkable', evidence: [unseen], advice };
    return { status: 'pass', evidence: limited([...this.#notes, `${this.#checked} observations`]), advice };
  }
}

/** The finding of an item that is not for this stream. */
export function notApplicable(reason: string): Finding {
  return { status: 'not-applicable', evidence: [reason], advice: [] };
}

/** The finding of an item that could not be seen. */
export function notCheckable(reason: string): Finding {
  return { status: 'not-checkable', evidence: [reason], advice: [] };
}

function limited(lines: readonly string[]): string[] {
  if (lines.length <= MAX_EVIDENCE) return [...lines];
  return [...lines.slice(0, MAX_EVIDENCE), `... and ${lines.length - MAX_EVIDENCE} more`];
}
