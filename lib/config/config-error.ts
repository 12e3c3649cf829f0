export interface ConfigProblem {
  variable: string
  /** One line: the variable, what is wrong, what it takes. Never a secret. */
  message: string
}

/** The environment cannot be used. Carries every problem found, so that one start shows them all. */
export class ConfigError extends Error {
  readonly code = 'MICS_CONFIG_INVALID'
  /** The tenants file, where its name can be used: its problems can be shown together with these. Else empty. */
  readonly tenantsFile: string

  constructor (readonly problems: ConfigProblem[], { tenantsFile = '' } = {}) {
    super(problems.map(({ message }) => message).join('\n'))
    this.name = 'ConfigError'
    this.tenantsFile = tenantsFile
  }
}
