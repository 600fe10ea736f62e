// SPDX-License-Identifier: GPL-3.0-or-later
// Keys of refusals and kinds of failures, in words.
import type { ParameterError } from '../api/types.ts'
import { ActionFailure } from '../bridge/action.ts'
import { has, t } from './index.ts'

/** What a refusal means and what to do about it. */
export function errorWords(error: string, parameter = ''): string {
  if (has(`error.${error}`)) return t(`error.${error}`)
  const field = fieldWords(parameter)
  if (error.endsWith('_required')) return t('error.field_required', { field })
  if (/_(invalid|enum|gte|lte|any_of|invalid_type)$/.test(error)) return t('error.field_invalid', { field })
  return t('error.unknown', { key: error })
}

/** The name of a field as the form has it. */
export const fieldWords = (parameter: string): string => (has(`field.${parameter}`) ? t(`field.${parameter}`) : parameter)

/** A refusal of a list's row, with the field's name. */
export const rowErrorWords = ({ parameter, error }: ParameterError): string =>
  parameter && has(`field.${parameter}`) ? `${fieldWords(parameter)}: ${errorWords(error, parameter)}` : errorWords(error, parameter)

/** Why an action gave no answer, and what to do. */
export function failureWords(failure: unknown): string {
  if (!(failure instanceof ActionFailure)) return t('failure.aborted')
  if (failure.kind === 'refused') {
    return failure.errors.map(({ parameter = '', error }) => rowErrorWords({ parameter, error })).join(' ')
  }
  return t(`failure.${failure.kind}`)
}

/** Names of types, structures and codes, which programs say to each other. */
const MACHINE = /\w::\w|\w \{|\b[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+)+\b|\(?os error \d+\)?/

/** What a server said, if it is fit for people. */
export const serverWords = (message: string | undefined): string => (message && !MACHINE.test(message) ? message : '')
