/* The module: inboxstats.parse._compiled. */

#include "compiled.h"

static int
has_type(PyObject *module, PyType_Spec *spec)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    int result = type == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)type);
    Py_XDECREF(type);
    return result;
}

static int
filled(PyObject *module)
{
    PyType_Spec *specs[] = {&characters_spec, &fields_spec, &lines_spec, &pages_spec, &vocabulary_spec};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        if (has_type(module, specs[i]) < 0)
            return -1;
    return PyModule_AddIntMacro(module, CONTRACT);
}

static PyMethodDef module_methods[] = {
    {"base64_letters", (PyCFunction)base64_letters, METH_FASTCALL, "As in uncompiled."},
    {"from_base64", (PyCFunction)from_base64, METH_FASTCALL, "As in uncompiled."},
    {"from_quoted_printable", (PyCFunction)from_quoted_printable, METH_FASTCALL, "As in uncompiled."},
    {"with_lf", (PyCFunction)with_lf, METH_FASTCALL, "As in uncompiled."},
    {"end_of_section", (PyCFunction)end_of_section, METH_FASTCALL, "As in uncompiled."},
    {"next_delimiter", (PyCFunction)next_delimiter, METH_FASTCALL, "As in uncompiled."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, filled},
    {0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "inboxstats.parse._compiled",
    .m_doc = "The innermost loops of reading mail, as in uncompiled.",
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__compiled(void)
{
    return PyModuleDef_Init(&module);
}
