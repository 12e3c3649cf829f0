export interface ConfigProblem {
  variable: string
  /** One line: the variable, what is wrong, what it takes. Never a secret. */
  message: string
}

/** The environment cannot be used. Carries every problem found, so that one start shows them all. */
export class ConfigError extends Error {
  readonly code = 'MICS_CONFIG_INVALID'

  constructor (readonly problems: ConfigProblem[]) {
    super(problems.map(({ message }) => message).join('\n'))
    this.name = 'ConfigError'
  }
}
