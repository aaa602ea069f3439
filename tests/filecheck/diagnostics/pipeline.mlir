// RUN: not helion-ir-opt %s -p canonicalise,dce | filecheck %s --check-prefix=PASS
// RUN: not helion-ir-opt %s -p 'dce,cse{deep=true}' | filecheck %s --check-prefix=OPTION
// RUN: not helion-ir-opt %s -p 'dce,,cse' | filecheck %s --check-prefix=COMMA
// RUN: not helion-ir-opt %s --print-ir-after=canonicalze | filecheck %s --check-prefix=AFTER
// RUN: not helion-ir-opt %s -p 'default-pipeline{fast=true}' | filecheck %s --check-prefix=ALIAS
// RUN: not helion-ir-opt nowhere.mlir | filecheck %s --check-prefix=FILE
// RUN: not helion-ir-opt %s -t 'triton{config="{}"x}' | filecheck %s --check-prefix=TARGET
// RUN: not helion-ir-opt %s -t python | filecheck %s --check-prefix=NAME

// PASS:      -p:1:1: error: there is no pass named 'canonicalise'; did you mean 'canonicalize'?
// PASS-NEXT:   canonicalise,dce
// PASS-NEXT:   ^^^^^^^^^^^^

// OPTION:      -p:1:5: error: cse: Provided arguments ["deep"] not found in expected arguments []
// OPTION-NEXT:   dce,cse{deep=true}
// OPTION-NEXT:       ^^^

// COMMA:      -p:1:5: error: Expected pass name here
// COMMA-NEXT:   dce,,cse
// COMMA-NEXT:       ^

// AFTER: helion-ir-opt: error: there is no pass named 'canonicalze'; did you mean 'canonicalize'?

// ALIAS: -p:1:1: error: unknown option fast; there is config

// FILE: error: {{.*}}nowhere.mlir
// FILE-NOT: Traceback

// TARGET:      -t:1:19: error: Malformed pass arguments
// TARGET-NEXT:   triton{config="{}"x}
// TARGET-NEXT:                     ^

// NAME: invalid choice: 'python'
builtin.module {
}
