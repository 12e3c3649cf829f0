import neostandard from 'neostandard'

export default [
  ...neostandard({
    ts: true,
    ignores: ['**/dist/**', '**/miniprogram_dist/**', '**/miniprogram_npm/**', 'sdk/hook-server/src/gen/**', 'lib/gen/**', '.tap/**', 'node_modules/**'],
  }),
  {
    files: ['routes/dev/page/**/*.js'],
    languageOptions: {
      globals: {
        document: 'readonly',
        location: 'readonly',
        sessionStorage: 'readonly',
        fetch: 'readonly',
        TextDecoder: 'readonly',
        crypto: 'readonly',
        history: 'readonly',
      },
    },
  },
  {
    files: ['examples/react-chat/src/**'],
    languageOptions: {
      globals: { document: 'readonly', sessionStorage: 'readonly', crypto: 'readonly', FormData: 'readonly' },
    },
  },
  {
    files: ['examples/wechat-page/**/*.js'],
    languageOptions: {
      sourceType: 'commonjs',
      globals: { wx: 'readonly', App: 'readonly', Page: 'readonly', getApp: 'readonly' },
    },
  },
  {
    // A table of constants and the type of its values share one name; TypeScript itself refuses real redeclarations.
    rules: { '@typescript-eslint/no-redeclare': 'off' },
  },
  {
    rules: { '@stylistic/max-len': ['error', { code: 120, ignoreUrls: true, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true }] },
  },
]
