export interface ListenOptions {
  port?: string
  host?: string
}

/** The environment with the command line's word in place of PORT and HOST: one validation for both. */
export function withListenOptions (env: NodeJS.ProcessEnv, { port, host }: ListenOptions): NodeJS.ProcessEnv {
  return {
    ...env,
    ...(port === undefined ? {} : { PORT: port }),
    ...(host === undefined ? {} : { HOST: host }),
  }
}
