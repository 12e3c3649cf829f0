import type { CheckGroup, Finding, Problem, Verdict } from './finding.js'

/** Collects what the checks find, and lets no secret through: a server may repeat one in its answer. */
export class Findings {
  readonly all: Finding[] = []

  /**
   * @param only the groups that are asked for; of the others, what fails is kept all the same
   * @param secrets what no text may contain
   * @param onFinding hears each as it is found
   */
  constructor (
    private readonly only: ReadonlySet<CheckGroup>,
    private readonly secrets: ReadonlySet<string>,
    private readonly onFinding: (finding: Finding) => void = () => {}
  ) {}

  wants (check: CheckGroup): boolean {
    return this.only.has(check)
  }

  pass (check: CheckGroup, name: string, seen: string): void {
    this.add(check, name, 'pass', { seen, advice: '' })
  }

  warn (check: CheckGroup, name: string, problem: Problem): void {
    this.add(check, name, 'warn', problem)
  }

  fail (check: CheckGroup, name: string, problem: Problem): void {
    this.add(check, name, 'fail', problem)
  }

  skip (check: CheckGroup, name: string, seen: string): void {
    this.add(check, name, 'skip', { seen, advice: '' })
  }

  add (check: CheckGroup, name: string, result: Verdict, { seen, advice }: Problem): void {
    if (!this.wants(check) && result !== 'fail') return
    const finding: Finding = { check, name, result, seen: this.clean(seen), advice: this.clean(advice) }
    this.all.push(finding)
    this.onFinding(finding)
  }

  /** Without secrets, and without what would write to the reader's terminal. */
  private clean (text: string): string {
    // The longest first: one may be part of another.
    const secrets = [...this.secrets].filter(secret => secret !== '').sort((a, b) => b.length - a.length)
    const hidden = secrets.reduce((rest, secret) => rest.replaceAll(secret, '[hidden]'), text)
    // eslint-disable-next-line no-control-regex
    return hidden.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
  }
}
