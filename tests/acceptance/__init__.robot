*** Comments ***
SPDX-License-Identifier: GPL-3.0-or-later

*** Settings ***
Documentation     Acceptance: the module as an administrator has it, from its installation to its removal.
Resource          resources/module.resource
Suite Setup       Install The Module
Suite Teardown    Remove The Module
