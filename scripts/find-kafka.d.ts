type Env = Record<string, string | undefined>

export const kafkaVersion: string
export function findKafka (env?: Env): { path?: string, problem?: string }
export function installedKafka (env?: Env): string
export function classArchive (libs: string): string
export function findJava (env?: Env): { path?: string, problem?: string }
