// SPDX-License-Identifier: GPL-3.0-or-later
//! Being built.
