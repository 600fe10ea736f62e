// SPDX-License-Identifier: GPL-3.0-or-later
import { useId } from 'vue'

/** An id that is unique in the page and fit for `for` and `aria-*`. */
export const useFieldId = (): string => `f${useId()}`
